"""The sandbox on its own: no model, no key. What runs in it has no network, and nothing of this machine but what is put in."""

from sandloop_sandbox import Sandbox

with Sandbox() as sandbox:
    sandbox.put("examples/seattle-weather.csv")
    sandbox.run("import pandas as pd; weather = pd.read_csv('seattle-weather.csv')")
    ran = sandbox.run("weather.precipitation.sum()")  # variables stay, as in a notebook
    print(ran.stdout.strip(), "mm of rain")
    sandbox.run("weather.groupby('weather').size().to_csv('kinds.csv')")
    print([path.name for path in sandbox.save("sandbox-alone")])
    print(sandbox.run("import urllib.request as u; u.urlopen('https://example.com')").error.value)
