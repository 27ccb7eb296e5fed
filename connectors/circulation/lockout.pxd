# How the compiled Guarded keeps what it has; lockout.py is all there is to read.

cdef class Guarded:
    cdef object _backend, _lockout, _terminal, _counted
