"""Data sets: what is known of them, how their raw files become a study, and how a study is opened."""
