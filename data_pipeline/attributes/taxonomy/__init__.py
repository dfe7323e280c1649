"""A user's tree of what data should cover, and which of its nodes a row belongs to."""
