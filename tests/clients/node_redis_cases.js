'use strict';
const assert = require('assert');
const { address, main } = require('./cases.js');

const library = () => require('redis');

async function connect(open, RESP, options = {}) {
  const { host, port, ca } = address();
  const client = open(library().createClient({ RESP, socket: { host, port, tls: true, ca, reconnectStrategy: false }, ...options }));
  client.on('error', () => {});
  await client.connect();
  return client;
}

function both(cases) {
  const all = {};
  for (const [name, run] of Object.entries(cases)) {
    all[`${name}_in_RESP2`] = (open) => run(open, 2);
    all[`${name}_in_RESP3`] = (open) => run(open, 3);
  }
  return all;
}

main({
  ...both({
    async reads_back_what_it_wrote(open, protocol) {
      const client = await connect(open, protocol);
      assert.strictEqual(await client.set('k', 'v'), 'OK');
      assert.strictEqual(await client.get('k'), 'v');
      assert.strictEqual(await client.get('none'), null);
      assert.strictEqual(await client.hSet('h', { f: '1', g: '2' }), 2);
      assert.deepStrictEqual({ ...await client.hGetAll('h') }, { f: '1', g: '2' });
      assert.strictEqual(await client.zAdd('z', [{ score: 1.5, value: 'a' }]), 1);
      assert.strictEqual(await client.zScore('z', 'a'), 1.5);
      assert.deepStrictEqual([...await client.sMembers('none')], []);
    },

    async pipelines_5000_by_itself(open, protocol) {
      const client = await connect(open, protocol);
      const replies = await Promise.all(Array.from({ length: 5000 }, (_, n) => [client.set(`k:${n}`, String(n)),
        client.get(`k:${n}`)]).flat());
      assert.deepStrictEqual(replies, Array.from({ length: 5000 }, (_, n) => ['OK', String(n)]).flat());
    },

    async commits_and_aborts_transactions(open, protocol) {
      const client = await connect(open, protocol);
      assert.deepStrictEqual(await client.multi().set('t', '1').incr('t').exec(), ['OK', 2]);
      const other = await connect(open, protocol);
      await client.watch('t');
      await other.set('t', '9');
      await assert.rejects(client.multi().set('t', '3').exec(), (error) => error instanceof library().WatchError);
      assert.strictEqual(await client.get('t'), '9');
    },

    async receives_what_is_published(open, protocol) {
      const listener = await connect(open, protocol);
      const publisher = await connect(open, protocol);
      const seen = [];
      let resolve;
      const done = new Promise((r) => { resolve = r; });
      const note = (message, channel) => { seen.push([channel, message]); if (seen.length === 51) resolve(); };
      await listener.subscribe('news', note);
      await listener.pSubscribe('other.*', note);
      for (let n = 0; n < 50; n += 1) await publisher.publish('news', String(n));
      await publisher.publish('other.x', 'last');
      await done;
      assert.deepStrictEqual(seen, [...Array.from({ length: 50 }, (_, n) => ['news', String(n)]), ['other.x', 'last']]);
      if (protocol === 3) assert.strictEqual(await listener.set('between', '1'), 'OK');
      await listener.unsubscribe('news');
      await listener.pUnsubscribe('other.*');
      assert.strictEqual(String(await listener.set('after', '1')), 'OK');  // a Buffer in RESP2, from a bare server too
    },

    async blocks_until_an_item_comes(open, protocol) {
      const waiter = await connect(open, protocol);
      const other = await connect(open, protocol);
      const got = waiter.blPop('queue', 20);
      await other.rPush('queue', 'item');
      assert.deepStrictEqual({ ...await got }, { key: 'queue', element: 'item' });
    },

    async runs_scripts(open, protocol) {
      const client = await connect(open, protocol);
      assert.strictEqual(await client.eval("return redis.call('SET', KEYS[1], ARGV[1]).ok", { keys: ['k'], arguments: ['v'] }), 'OK');
      await assert.rejects(client.evalSha('f'.repeat(40)), /NOSCRIPT/);
    },

    async selects_and_names(open, protocol) {
      const client = await connect(open, protocol, { database: 6, name: 'orders' });
      assert.strictEqual(await client.clientGetName(), 'orders');
      await client.set('only', 'here');
      assert.strictEqual(await (await connect(open, protocol)).get('only'), null);
    },

    async scans(open, protocol) {
      const client = await connect(open, protocol);
      await client.mSet(Array.from({ length: 500 }, (_, n) => [`scan:${n}`, '1']));
      const seen = new Set();
      for await (const keys of client.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) for (const key of [keys].flat()) seen.add(key);
      assert.strictEqual(seen.size, 500);
    },
  }),

  // The library's own client-side cache: CLIENT TRACKING and invalidations by push.
  async caches_on_its_side_and_hears_of_changes(open) {
    const { BasicClientSideCache } = library();
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0 });
    const client = await connect(open, 3, { clientSideCache: cache });
    const other = await connect(open, 3);
    await other.set('cached', '0');
    for (let n = 1; n <= 50; n += 1) {
      assert.strictEqual(await client.get('cached'), String(n - 1));
      assert.strictEqual(await client.get('cached'), String(n - 1));
      const heard = new Promise((resolve) => cache.once('invalidate', resolve));
      await other.set('cached', String(n));
      await heard;
    }
    assert.ok(cache.stats().hitCount >= 50, JSON.stringify(cache.stats()));
  },
});
