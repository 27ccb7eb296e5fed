# What the compiled plain() knows of its variables; plain.py is all there is to read.

cimport cython

@cython.locals(found=dict, values=tuple)
cpdef dict plain(request)
