"""Self-service machines, sorters, payment stations and borrower checks, answered live."""
