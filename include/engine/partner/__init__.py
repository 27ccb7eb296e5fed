"""Who Bindery exchanges with: one YAML file a partner, read by a librarian, checked by a schema."""
