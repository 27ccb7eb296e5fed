# How the compiled Memory keeps what it has; memory.py is all there is to read.

cimport cython

from connectors.circulation.embedded.recent cimport Known, Recent

cdef class _List:
    cdef readonly str table, column, key, query
    cdef readonly Recent recent
    cdef public Known known

cdef class _Table:
    cdef readonly tuple columns, lists
    cdef readonly str key
    cdef readonly Recent rows
    cdef public dict fresh
    cdef readonly dict known

cdef class Memory:
    cdef object _db, _direct, _done_since
    cdef _List _loans, _fees, _holds, _queues
    cdef readonly dict _tables, _taken, _written, shown
    @cython.locals(there=_Table, kept=Recent, known=Known)
    cpdef get(self, str table, key)
    cpdef patron_of(self, card)
    cpdef queue(self, title_id)
    @cython.locals(row=dict, there=_Table, known=Known)
    cpdef apply(self, changes)
    cdef dict _of(self, _List asked, owner)
