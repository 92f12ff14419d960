"""A vendor on this machine: a real HTTP server in the shapes of OpenAI and Google that judges nothing.

For tests of faults, and for trying the paid flow without a key. Everything it produces is SIMULATED, and
each of its responses says so in the header ``x-newstune-simulated``.
"""
