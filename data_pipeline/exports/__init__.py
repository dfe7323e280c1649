"""Rows and pairs in the forms that other trainers read, and from those forms back."""
