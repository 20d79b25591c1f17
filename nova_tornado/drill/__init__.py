"""`nova drill`: breaks a Nova of its own on purpose, and checks that what Nova promises was kept.

People of all five protocols talk in the same chats, while processes are killed and halted and links break. Everything
that they ask for, are answered and are told is recorded (``history``); at the end the ``checker`` compares it with what
the database holds and with what a fresh client is shown. The promises, I1 to I8, stand in docs/reliability.md.

::

    command   the command line, and the run from the start to the verdict
    plan      which faults come when; a seed gives the same plan again
    world     the chats and the people, the end of a run
    people    what one person does, and what he has seen
    seats     how each protocol says it
    ground    the processes: mongod, one or a set of three; the server
    proxy     the links between the people and the server
    faults    what is done to all of it
    history   what is recorded
    truth     what the database holds
    checker   whether the two agree
"""
