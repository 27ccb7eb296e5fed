# How the compiled Recent and Known keep what they have; recent.py is all there is to read.

cdef class Recent:
    cdef Py_ssize_t _most
    cdef readonly dict new
    cdef dict _old
    cpdef get(self, key, default)
    cpdef put(self, key, value)

cdef class Known:
    cdef Py_ssize_t _most
    cdef set _new, _old
    cdef bint _whole
    cpdef put(self, key)
