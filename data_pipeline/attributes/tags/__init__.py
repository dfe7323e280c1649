"""Tags of rows: keyword rules, and the normalisation of open tags."""
