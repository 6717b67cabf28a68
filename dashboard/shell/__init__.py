"""The frame around every page: set-up, navigation, status strip and keyboard shortcuts."""
