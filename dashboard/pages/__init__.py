"""One module a page: guard, fetch, draw."""
