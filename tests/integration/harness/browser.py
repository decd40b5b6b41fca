"""A real Chromium without a window, driven through chromedriver: what a page logged, and whom it asked."""

import json
import pathlib
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


class browser:
    """`width` by `height` pixels, in the light or the dark scheme. Everything it keeps is in a folder that goes with it."""

    def __init__(self, *, width=1280, height=1600, dark=False):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-browser-"))
        options = Options()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                         "--disable-background-networking", "--disable-component-update", "--no-first-run",
                         "--disable-sync", "--hide-scrollbars", "--force-prefers-reduced-motion",
                         f"--user-data-dir={self._folder}", f"--window-size={width},{height}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(30)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

        self.forget()

    def forget(self):
        """Leaves whatever page there is, and what it logged and asked for."""
        self.driver.get("about:blank")
        self.errors()
        self.requested()

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        return self.run("return (document.querySelector(arguments[0]) || {}).textContent || ''", selector)

    def errors(self):
        """What the console got since the last call: warnings and errors."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self):
        """The URLs asked for since the last call, whether or not they were answered."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))

    def close(self):
        self.driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
