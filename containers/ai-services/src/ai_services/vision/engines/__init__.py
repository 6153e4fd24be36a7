"""What recognises things: one module a model, each with pure functions before and after the run.

Engines take `Pixels` and answer in places of these pixels; they know neither HTTP nor the original's size.
"""
