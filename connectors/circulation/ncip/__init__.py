"""NCIP (ANSI/NISO Z39.83): 1.0, 1.01 and 2.02 over HTTP; read leniently, answered by the schema."""
