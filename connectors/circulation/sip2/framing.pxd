# How the compiled Lines keep what they have; framing.py is all there is to read.

cdef class Lines:
    cdef bytes _rest
