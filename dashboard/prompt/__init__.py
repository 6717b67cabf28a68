"""The text that the teacher reads: sections, salience and an editor."""
