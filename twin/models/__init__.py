"""The models that a twin consists of: what state follows, and what an allocation brings."""
