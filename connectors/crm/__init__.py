"""CRM: Salesforce and Microsoft Dynamics receive patrons with deep links back, and say what people changed there. docs/flows/crm_sync.md"""
