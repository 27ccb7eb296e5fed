# How the compiled Connection keeps what it has; server.py is all there is to read.

cdef class Connection:
    cdef object _server, _house, _lines, _queue, _next, _stuck_since
    cdef readonly object _session, _task, _transport
    cdef double _heard, _made
    cdef bint _paused, _lost
    cdef _wake(self)
