"""One module a page: guard, fetch, draw. Not named `pages`, a folder that Streamlit would run by itself."""
