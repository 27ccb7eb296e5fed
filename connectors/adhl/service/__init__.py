"""ADHL's lookup service: adhlRequest, topTenRequest and pingRequest, over SOAP and REST, out of the newest release of the relations.

Interface: DBC's OpenADHL (WSDL and XSD, namespace http://oss.dbc.dk/ns/adhl, 2009; service pages 2015). docs/flows/adhl_relations.md
"""
