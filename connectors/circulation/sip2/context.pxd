# How the compiled Context keeps what it has; context.py is all there is to read.

cdef class Context:
    cdef readonly object backend, profile, framing, output, policy, zone, now
    cdef readonly str terminal, institution, library, language, branch, location
