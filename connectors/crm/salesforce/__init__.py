"""How Salesforce speaks: logins, Bulk API 2.0, collections, queries; through simple-salesforce, with what it lacks around it."""
