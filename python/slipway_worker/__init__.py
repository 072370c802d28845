"""The program that hosts a score.py: `init()` once, `run()` for each request. Standard library only, Python 3.6 syntax."""
