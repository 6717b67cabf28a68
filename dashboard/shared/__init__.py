"""What two or more pages use: text, URL state, session, navigation, theme and markup."""
