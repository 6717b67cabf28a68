"""The dashboard: pages that render what the engine answers. Never touches the database or a model itself."""
