# What the compiled codec knows of its variables; codec.py is all there is to read.

cimport cython

@cython.locals(code=str, end=Py_ssize_t, parts=list, part=str, fixed=dict, fields=dict, again=dict, repairs=tuple)
cpdef object parse(str line, str delimiter=*)

cdef bint _bare(str line, Py_ssize_t end, str delimiter)

@cython.locals(head=list, rest=list, name=str, width=Py_ssize_t, blank=str, value=str, line=str)
cpdef str write(str code, dict fixed, dict fields, str delimiter=*)
