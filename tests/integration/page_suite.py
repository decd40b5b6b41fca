"""The web page in a real Chromium: what it shows of a real proxy, how it is worked, and what it never does."""

import json
import re
import unittest
import urllib.request

from harness.browser import browser
from harness.cases import proxied_case
from harness.processes import wait_until
from harness.stand_in import stand_in
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HOSTILE = "<img src=x onerror=window.hacked=1>"
FORECAST = {"at": 0, "used_bytes": 30 << 20, "max_bytes": 64 << 20, "used_percent": 46.9, "peak_bytes": 60 << 20,
            "peak_percent": 93.8, "peak_at": "2099-01-01T00:00:00Z", "seconds_to": {"70": 300, "85": 700, "100": None},
            "seconds_back": 1800, "if_it_stops_now": {"peak_bytes": 31 << 20, "peak_percent": 48.4},
            "if_it_goes_on": {"peak_bytes": 70 << 20, "peak_percent": 109.4}, "known": True, "why_unknown": ""}
UNKNOWN = {"known": False, "why_unknown": "too little was seen"}

# Every element that can be worked has a name, every canvas words, every table a head; nothing is hidden from the
# keyboard by a positive tabindex; ids are unique. What a checker like axe calls serious, as far as it concerns this page.
CHECKS = """
const faults = [];
const name_of = (each) => {
  const by = (each.getAttribute('aria-labelledby') || '').split(' ').filter(Boolean)
    .map((id) => (document.getElementById(id) || {}).textContent || '').join(' ');
  const label = each.labels && each.labels.length ? each.labels[0].textContent : '';
  return (by || each.getAttribute('aria-label') || label || each.textContent || '').trim();
};
for (const each of document.querySelectorAll('button, a[href], input, summary, dialog, section, [role=img], [role=region]')) {
  if (!name_of(each)) faults.push('no name: ' + each.outerHTML.slice(0, 100));
}
for (const each of document.querySelectorAll('canvas')) {
  const words = document.getElementById(each.getAttribute('aria-describedby'));
  if (!words || !words.textContent.trim()) faults.push('no words: ' + each.id);
  if (!each.closest('section').querySelector('details table thead th')) faults.push('no table beside ' + each.id);
}
for (const each of document.querySelectorAll('table')) {
  if (each.rows.length && !each.querySelector('th[scope]')) faults.push('no head: ' + each.id);
}
const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('twice: ' + id);
for (const each of document.querySelectorAll('[tabindex]')) if (each.tabIndex > 0) faults.push('tabindex: ' + each.id);
if (document.querySelectorAll('main').length !== 1 || document.querySelectorAll('h1').length !== 1) faults.push('landmarks');
if (!document.documentElement.lang || !document.title) faults.push('language or title');
let level = 0;
for (const each of document.querySelectorAll('h1, h2, h3')) {
  const next = Number(each.tagName[1]);
  if (next > level + 1) faults.push('heading skips: ' + each.textContent);
  level = next;
}
for (const attribute of document.querySelectorAll('*')) {
  for (const one of attribute.attributes) if (one.name.startsWith('on')) faults.push('handler: ' + one.name);
}
return faults;
"""

# WCAG 2.1, 1.4.3: the contrast of each text with the first opaque ground behind it.
CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (each) => {
  for (; each; each = each.parentElement) {
    const got = rgb(getComputedStyle(each).backgroundColor);
    if (got.length === 3 || got[3] === 1) return got;
  }
  return [255, 255, 255];
};
const faults = new Set();
for (const each of document.querySelectorAll('body *')) {
  const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || each.matches('script, noscript, noscript *') || !each.getClientRects().length) continue;
  const a = light(rgb(getComputedStyle(each).color)), b = light(ground(each));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faults.add(`${each.tagName}.${each.className}#${each.id} ${ratio.toFixed(2)}`);
}
return [...faults];
"""


class page_case(proxied_case):
    SERVER_ARGUMENTS = (("maxmemory", "64mb"),)
    CONFIGURATION = {
        "ledger": {"path": "page.db", "bucket": "1s"},
        "attribution": {"patterns": ["coupon:*"]},
        "limits": [{"name": "slow-lane", "match": {"client": "batch-job"}, "rate": "50/s", "burst": "10"}],
        "ttl": [{"pattern": "coupon:*", "default": "60d"}]}
    WIDTH, HEIGHT, DARK = 1280, 1600, False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser(width=cls.WIDTH, height=cls.HEIGHT, dark=cls.DARK)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.browser.forget()
        # The real proxy, but for what it says of the future: that is set by the case.
        self.stand_in = stand_in(self.proxy, {"/api/v1/forecast": UNKNOWN})
        self.addCleanup(self.stand_in.close)
        self.addCleanup(self.lift_all)
        self.base = f"http://127.0.0.1:{self.stand_in.port}"

    def caps(self):
        return json.loads(self.proxy.get("/api/v1/caps")[1])["caps"]

    def lift_all(self):
        for cap in self.caps():
            request = urllib.request.Request(f"http://127.0.0.1:{self.proxy.admin_port}/api/v1/caps/{cap['client']}",
                                             method="DELETE", headers={"Authorization": f"Bearer {self.proxy.TOKEN}"})
            urllib.request.urlopen(request, timeout=10).close()

    def open(self):
        self.browser.open(f"{self.base}/")
        wait_until(lambda: self.browser.text("#state") not in ("", "connecting …"), what="the first answer")

    def write(self, client, *commands):
        connection = self.connect()
        if client:
            connection.call("CLIENT", "SETNAME", client)
        for command in commands:
            connection.call(*command)
        return connection

    def find(self, selector):
        return self.browser.driver.find_element(By.CSS_SELECTOR, selector)

    def focused(self):
        return self.browser.run("return document.activeElement.id || document.activeElement.textContent")

    def writers(self):
        return self.browser.run("return [...document.querySelectorAll('#writers_rows tr')].map((row) => row.dataset.key)")

    def open_writer(self, client):
        wait_until(lambda: client in self.writers(), what=f"{client} in the table")
        row = "[...document.querySelectorAll('#writers_rows tr')].find((row) => row.dataset.key === arguments[0])"
        self.browser.run(f"{row}.querySelector('button').click()", client)
        wait_until(lambda: "since start" in self.browser.text("#writer_summary"), what="the writer's figures")

    def assert_quiet(self):
        self.assertEqual(self.browser.errors(), [])
        strangers = [url for url in self.browser.requested() if not url.startswith((f"{self.base}/", "data:"))]
        self.assertEqual(strangers, [])


class the_page(page_case):
    def test_shows_who_writes_what(self):
        self.write("order-api", *[("SET", f"goods:{number}", "x" * 1000, "EX", "60") for number in range(20)])
        self.open()
        wait_until(lambda: "order-api" in self.writers(), what="the writer")
        self.assertEqual(self.browser.text("#instance"), "it")
        self.assertIn("64 MiB", self.browser.text("#figure_memory_note"))
        self.assertEqual(self.browser.text("#state"), "live")
        self.assertEqual(self.browser.text("#plot_memory_words"), "The forecast is not known yet: too little was seen.")
        self.write("order-api", *[("SET", f"goods:{number}", "x" * 1000, "EX", "60") for number in range(20)])
        wait_until(lambda: "order-api" in self.browser.text("#plot_writes_words"), what="the plot's words")
        self.assertIn("goods:*: 0.0 % left without a TTL", self.browser.text("#plot_ttl_words"))
        self.assert_quiet()

    def test_draws_something_in_each_plot_that_has_data(self):
        self.open()
        self.write("order-api", ("SET", "goods:1", "x", "EX", "60"))
        job = self.write("batch-job")
        for number in range(30):
            job.send("SET", f"job:{number}", "x")
        for _ in range(30):
            job.read()
        wait_until(lambda: "slow-lane" in self.browser.text("#plot_limits_words"), what="the limit's plot")
        for name in ("writes", "memory", "opened", "ttl", "limits"):
            with self.subTest(name):
                colours = self.browser.run(
                    "const c = document.getElementById(arguments[0]);"
                    "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                    "const seen = new Set(); for (let i = 0; i < d.length; i += 4)"
                    " if (d[i + 3] === 255) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return seen.size", f"plot_{name}")
                self.assertGreater(colours, 1)
        self.assert_quiet()

    def test_tells_a_ttl_given_from_one_that_is_missing(self):
        self.write("coupon-service", *[("SET", f"coupon:{number}", "x") for number in range(10)],
                   *[("SET", f"plain:{number}", "x") for number in range(10)])
        self.open()
        wait_until(lambda: "coupon:*" in self.browser.text("#plot_ttl_words"), what="the coverage")
        words = self.browser.text("#plot_ttl_words")
        self.assertIn("coupon:*: 0.0 % left", words)
        self.assertIn("plain:*: 100.0 % left", words)

    def test_shows_a_forecast_and_warns_of_it(self):
        self.stand_in.answers["/api/v1/forecast"] = FORECAST
        self.open()
        wait_until(lambda: self.browser.text("#figure_forecast") == "93.8 %", what="the forecast")
        self.assertIn("109.4 % if it goes on, 48.4 % if it stops now", self.browser.text("#plot_memory_words"))
        self.assertIn("85 % within a quarter of an hour", self.browser.text("#alerts"))
        self.assertIn("5 min", self.browser.text("#table_memory"))

    def test_says_no_more_digits_than_a_forecast_has(self):
        beyond = {**FORECAST, "if_it_goes_on": {"peak_bytes": 3 << 30, "peak_percent": 4760.4}}
        self.stand_in.answers["/api/v1/forecast"] = {**beyond, "seconds_to": {"70": 95, "85": 700, "100": None}}
        self.open()
        wait_until(lambda: "over 1,000 % if it goes on" in self.browser.text("#plot_memory_words"), what="the words")
        self.assertIn("1.6 min", self.browser.text("#table_memory"))
        self.assertIn("12 min", self.browser.text("#table_memory"))

    def test_says_so_when_the_proxy_is_gone_and_when_it_is_back(self):
        self.open()
        held = self.stand_in.answers
        self.stand_in.answers = {"/": lambda *_: (500, {"error": "out of order"})}
        wait_until(lambda: self.browser.text("#state") == "no answer", what="the failure on the page")
        self.assertIn("out of order", self.browser.text("#alerts"))
        self.stand_in.answers = held
        wait_until(lambda: self.browser.text("#state") == "live", what="the recovery")
        self.assertEqual(self.browser.text("#alerts"), "")
        self.browser.errors()

    def test_stops_and_goes_on(self):
        self.open()
        self.find("#pause").click()
        self.assertEqual(self.find("#pause").get_attribute("aria-pressed"), "true")
        self.assertEqual(self.browser.text("#state"), "paused")
        self.find("#pause").send_keys(Keys.SPACE)
        self.assertEqual(self.find("#pause").get_attribute("aria-pressed"), "false")

    def test_is_served_with_a_strict_policy(self):
        _, headers = self.fetch("/")
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["X-Frame-Options"], "DENY")
        text, _ = self.fetch("/")
        self.assertEqual(re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|https?://(?!www\.w3\.org)", text), [])

    def fetch(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.admin_port}{path}", timeout=10) as answer:
            return answer.read().decode(), answer.headers


class names_from_outside(page_case):
    # Client names are sanitised before, and so are patterns that are inferred; a configured one is shown as it stands.
    CONFIGURATION = {"attribution": {"patterns": [f"{HOSTILE}*"]}}

    def test_are_text(self):
        self.write("", ("SET", f"{HOSTILE}:1", "x"))
        self.open()
        self.open_writer("unnamed@127.0.0.1")
        wait_until(lambda: "onerror" in self.browser.text("#writer_patterns"), what="the hostile pattern")
        self.assertEqual(self.browser.run("return document.querySelectorAll('td img, th img, td script').length"), 0)
        self.assertIsNone(self.browser.run("return window.hacked || null"))
        self.assert_quiet()

    def test_of_caps_are_text_too(self):
        self.stand_in.answers["/api/v1/caps"] = {"caps": [{"client": HOSTILE, "action": "cap", "rate": "1/s", "bytes": None, "key": HOSTILE, "who": HOSTILE,
                      "why": HOSTILE, "since": "x", "until": "x", "seconds_left": 5, "delayed": 0,
                      "rejected": 0}]}
        self.open()
        wait_until(lambda: "onerror" in self.browser.text("#caps"), what="the cap")
        self.assertEqual(self.browser.run("return document.querySelectorAll('#caps img').length"), 0)
        self.assertIsNone(self.browser.run("return window.hacked || null"))
        self.assert_quiet()


class a_writer(page_case):
    def test_is_opened_by_keyboard_and_gives_the_focus_back(self):
        self.write("order-api", ("SET", "goods:1", "x", "EX", "60"), ("DEL", "goods:1"))
        self.open()
        wait_until(lambda: "order-api" in self.writers(), what="the writer")
        self.find("#writers_rows button").send_keys(Keys.ENTER)
        wait_until(lambda: "goods:*" in self.browser.text("#writer_patterns"), what="its patterns")
        self.assertIn("set", self.browser.text("#writer_patterns"))
        self.assertIn("del", self.browser.text("#writer_patterns"))
        # The rest of the page cannot be reached while the dialog is open.
        stops = []
        for _ in range(14):
            self.browser.driver.switch_to.active_element.send_keys(Keys.TAB)
            stops.append(self.browser.run("return document.activeElement.closest('dialog') !== null "
                                          "|| document.activeElement === document.body"))
        self.assertTrue(all(stops), stops)
        self.browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        wait_until(lambda: not self.browser.run("return document.getElementById('writer').open"), what="the close")
        self.assertEqual(self.browser.run("return document.activeElement.className"), "name")

    def test_keeps_the_focus_while_figures_change(self):
        connection = self.write("order-api", ("SET", "goods:1", "x"))
        other = self.write("goods-cache", ("SET", "goods:2", "x"))
        self.open()
        wait_until(lambda: len(self.writers()) >= 2, what="two writers")
        self.browser.run("document.querySelector('#writers_rows tr:last-child button').focus()")
        focused = self.focused()
        seen = self.browser.run("return performance.getEntriesByName(location.origin + '/api/v1/live').length")
        loud = connection if focused == "order-api" else other
        for number in range(50):
            loud.call("SET", f"goods:{number}", "x" * 5000)
        wait_until(lambda: self.browser.run("return performance.getEntriesByName(location.origin + '/api/v1/live').length")
                   > seen + 1, what="two more answers")
        self.assertEqual(self.focused(), focused)

    def test_is_capped_with_the_token(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.open()
        self.open_writer("batch-job")
        self.find("input[name=rate]").send_keys("500/s")
        self.find("input[name=why]").send_keys("in the way")
        self.find("input[name=why]").send_keys(Keys.ENTER)
        self.give_token("wrong")
        wait_until(lambda: "refused" in self.browser.text("#token_why"), what="the refusal")
        self.give_token(self.proxy.TOKEN)
        wait_until(lambda: "Capped until" in self.browser.text("#cap_message"), what="the answer")
        method, path, authorization, sent = self.stand_in.changes[-1]
        self.assertEqual((method, path, authorization), ("POST", "/api/v1/caps", f"Bearer {self.proxy.TOKEN}"))
        self.assertEqual(sent, {"client": "batch-job", "action": "cap", "rate": "500/s", "bytes": None, "key": None,
                                "for": "30m", "why": "in the way"})
        self.find("#writer_close").click()
        wait_until(lambda: "capped at 500/s" in self.browser.text("#caps"), what="the cap in the list")
        self.assertEqual([(cap["client"], cap["action"], cap["rate"], cap["why"]) for cap in self.caps()],
                         [("batch-job", "cap", "500/s", "in the way")])
        # The token is known by now, so lifting it asks nothing.
        self.find("#caps button").click()
        wait_until(lambda: self.browser.text("#caps") == "", what="the lift")
        self.assertEqual(self.stand_in.changes[-1][:2], ("DELETE", "/api/v1/caps/batch-job"))
        self.assertEqual(self.caps(), [])
        kept = self.browser.run("return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, "
                                "document.documentElement.outerHTML])")
        self.assertNotIn(self.proxy.TOKEN, kept)
        self.browser.errors()  # of the token that was refused

    def give_token(self, text):
        wait_until(lambda: self.browser.run("return document.getElementById('token').open"), what="the question")
        field = self.find("#token_form input")
        field.clear()
        field.send_keys(text, Keys.ENTER)

    def test_is_blocked_without_a_rate(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.open()
        self.open_writer("batch-job")
        self.find("input[value=block]").send_keys(Keys.SPACE)
        self.assertFalse(self.find("input[name=rate]").is_displayed())
        self.find("#cap_form button").click()
        self.give_token(self.proxy.TOKEN)
        wait_until(lambda: "Blocked until" in self.browser.text("#cap_message"), what="the answer")
        self.assertEqual([(cap["client"], cap["action"]) for cap in self.caps()], [("batch-job", "block")])
        refused = self.write("batch-job").call("SET", "job:2", "x")
        self.assertIn("THROTTLED rule=block:batch-job", refused)

    def test_is_told_what_the_proxy_says_of_a_wrong_rate(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.open()
        self.open_writer("batch-job")
        self.find("input[name=rate]").send_keys("fast")
        self.find("#cap_form button").click()
        self.give_token(self.proxy.TOKEN)
        wait_until(lambda: "Not done" in self.browser.text("#cap_message"), what="the refusal")
        self.assertIn("rate", self.browser.text("#cap_message"))
        self.assertEqual(self.caps(), [])
        self.browser.errors()  # of the answer 400

    def test_shows_where_it_comes_from(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.open()
        self.open_writer("batch-job")
        wait_until(lambda: "127.0.0.1" in self.browser.text("#writer_sources"), what="the source, once the ledger has it")
        self.assertFalse(self.find("#writer_sources_none").is_displayed())

    def test_is_not_capped_without_a_figure_or_a_token(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.open()
        self.open_writer("batch-job")
        self.find("#cap_form button").click()
        self.assertIn("how many", self.browser.text("#cap_message"))
        self.assertEqual(self.browser.run("return document.activeElement.name"), "rate")
        self.find("input[name=rate]").send_keys("500/s")
        self.find("#cap_form button").click()
        wait_until(lambda: self.browser.run("return document.getElementById('token').open"), what="the question")
        self.find("#token_cancel").click()
        wait_until(lambda: "nothing was changed" in self.browser.text("#cap_message"), what="the message")
        self.assertEqual(self.stand_in.changes, [])


class every_reader(page_case):
    def check(self):
        self.write("batch-job", ("SET", "job:1", "x"))
        self.stand_in.answers["/api/v1/forecast"] = FORECAST
        self.open()
        wait_until(lambda: self.browser.text("#alerts") != "" and "batch-job" in self.writers(), what="a full page")
        wait_until(lambda: self.browser.text("#plot_limits_words") != "", what="a drawn page")
        self.assertEqual(self.browser.run(CHECKS), [])
        self.assertEqual(self.browser.run(CONTRAST), [])
        self.open_writer("batch-job")
        self.assertEqual(self.browser.run(CHECKS), [])
        self.assertEqual(self.browser.run(CONTRAST), [])
        width = self.browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        self.assertLessEqual(width[0], width[1], "the page scrolls sideways")

    def test_finds_names_words_and_contrast(self):
        self.check()


class every_reader_in_the_dark(every_reader):
    DARK = True


class every_reader_on_a_phone(every_reader):
    WIDTH, HEIGHT = 390, 844


if __name__ == "__main__":
    unittest.main()
