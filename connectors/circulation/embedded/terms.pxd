# How the compiled Terms keep what they have; terms.py is all there is to read.

cdef class Terms:
    cdef readonly object zone, rules
    cdef readonly str currency
    cdef readonly bint card_alone
    cdef dict _limits, _ends
    cdef object _since, _until, _today
    cpdef today(self, now)
