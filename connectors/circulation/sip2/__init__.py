"""SIP2: 3M Standard Interchange Protocol, version 2.00 (2006), with the extension fields that machines in the field use."""
