"""What every page shares: navigation, language, words, charts and components. Imports streamlit."""
