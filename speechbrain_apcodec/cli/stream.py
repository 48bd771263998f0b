"""Code speech live: from standard input to standard output.

The encoder turns audio into packets, the decoder packets into audio, while
it is spoken. The packets go through any pipe or connection.

For example:
  apcodec stream encode < speech.wav > speech.aps
  apcodec stream decode < speech.aps > decoded.wav
  ... | apcodec stream encode | nc HOST 5000      here
  nc -l 5000 | apcodec stream decode | ...        and there

Authors
 * speechbrain_apcodec contributors, 2026
"""

from speechbrain_apcodec.cli import stream_decode, stream_encode

#: The commands below this one.
COMMANDS = {"encode": stream_encode, "decode": stream_decode}
