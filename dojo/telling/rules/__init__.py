"""The words for a failure: small rules that look at the facts and say something or nothing.

`dojo.telling.explain` lists them in the order of importance.
"""
