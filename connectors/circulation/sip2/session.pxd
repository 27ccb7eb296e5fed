# How the compiled Session keeps what it has; session.py is all there is to read.

cdef class Session:
    cdef object _house, _context, _address
    cdef readonly str login
    cdef bint _checked, _gone
    cdef Py_ssize_t _wrong
    cdef bytes _last_line, _last_answer
    cdef _let_go(self)
    cdef bint _has_room(self, str login, terminal)
    cdef _enter(self, str login, terminal)
    cdef str _text(self, bytes body)
    cdef bytes _sealed(self, str text, str sequence)
