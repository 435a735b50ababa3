"""Operations of models and training, by native kernels where they can be used.

dispatch.py        decides whether native or cuDNN operations may be used
compilation.py     compiles native/*.cc for the installed TensorFlow
random.py          random numbers that are hashes of seeds
dropout.py         dropout by these
packed_tokens.py   rows of tokens without their padding
lstm.py            the recurrence of an LSTM over packed rows
attention.py       attention of packed tokens
cross_entropy.py   cross-entropy with label smoothing
"""
