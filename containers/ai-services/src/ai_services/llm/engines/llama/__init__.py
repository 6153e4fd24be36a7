"""llama.cpp in a process beside the service.

Its own process, since llama.cpp ends the process on an internal error or when a GPU's memory runs out,
loads models without letting other Python threads run, and gives memory back only by ending.
"""
