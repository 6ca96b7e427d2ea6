"""Which answer is graded, and how: the katas, their proofs, and what proves them."""
