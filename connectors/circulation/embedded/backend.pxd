# How the compiled Embedded keeps what it has; backend.py is all there is to read.

cdef class Embedded:
    cdef public object store, terms, pins, tap
    cdef public Py_ssize_t committed
    cdef public object _journal, _now, _folder, _keys
    cdef public dict _reported
    cdef _kept(self, request, decision, at)
    cdef _journaled(self, dict entry, list changes, at=*)
