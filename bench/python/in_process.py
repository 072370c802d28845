"""The limit without a server: run() in a loop, its answer encoded, on one core. Prints calls per second."""

import importlib
import json
import sys
import time

folder, seconds, body = sys.argv[1], float(sys.argv[2]), sys.argv[3]
sys.path.insert(0, folder)
score = importlib.import_module("score")
score.init()
json.dumps(score.run(body))

count = 0
began = time.perf_counter()
end = began + seconds
while time.perf_counter() < end:
    json.dumps(score.run(body))
    count += 1
print(count / (time.perf_counter() - began))
