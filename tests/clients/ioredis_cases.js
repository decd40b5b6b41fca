'use strict';
const assert = require('assert');
const { address, main } = require('./cases.js');

const Redis = () => require('ioredis');

function connect(open, options = {}) {
  const { host, port, ca } = address();
  const client = open(new (Redis())({ host, port, tls: { ca }, retryStrategy: null, maxRetriesPerRequest: 0, ...options }));
  client.on('error', () => {});
  return client;
}

main({
  async reads_back_what_it_wrote(open) {
    const client = connect(open);
    assert.strictEqual(await client.set('k', 'v'), 'OK');
    assert.strictEqual(await client.get('k'), 'v');
    assert.strictEqual(await client.get('none'), null);
    assert.deepStrictEqual(await client.mget('k', 'none'), ['v', null]);
    assert.deepStrictEqual(await client.hset('h', { f: 1, g: 2 }), 2);
    assert.deepStrictEqual(await client.hgetall('h'), { f: '1', g: '2' });
    assert.deepStrictEqual(await client.zadd('z', 1, 'a', 2, 'b'), 2);
    assert.deepStrictEqual(await client.zrange('z', 0, -1, 'WITHSCORES'), ['a', '1', 'b', '2']);
  },

  async passes_its_ready_check(open) {
    const client = connect(open, { enableReadyCheck: true });
    await new Promise((resolve) => client.once('ready', resolve));
    assert.strictEqual(client.status, 'ready');
    assert.match(await client.info('server'), /redis_version:7\./);
  },

  async gets_5000_replies_of_a_pipeline_in_order(open) {
    const client = connect(open);
    const pipeline = client.pipeline();
    for (let n = 0; n < 5000; n += 1) pipeline.set(`k:${n}`, n).get(`k:${n}`);
    const replies = await pipeline.exec();
    assert.strictEqual(replies.length, 10000);
    for (let n = 0; n < 5000; n += 1) {
      assert.deepStrictEqual(replies[2 * n], [null, 'OK']);
      assert.deepStrictEqual(replies[2 * n + 1], [null, String(n)]);
    }
  },

  async pipelines_by_itself(open) {
    const client = connect(open, { enableAutoPipelining: true });
    await Promise.all(Array.from({ length: 2000 }, (_, n) => client.set(`a:${n}`, n)));
    const values = await Promise.all(Array.from({ length: 2000 }, (_, n) => client.get(`a:${n}`)));
    assert.deepStrictEqual(values, Array.from({ length: 2000 }, (_, n) => String(n)));
  },

  async commits_and_aborts_transactions(open) {
    const client = connect(open);
    assert.deepStrictEqual(await client.multi().set('t', 1).incr('t').exec(), [[null, 'OK'], [null, 2]]);
    const other = connect(open);
    await client.watch('t');
    await other.set('t', 100);
    assert.strictEqual(await client.multi().set('t', 3).exec(), null);
    await assert.rejects(client.multi().set('t', 1).call('NOSUCH').exec(), /EXECABORT/);
    assert.strictEqual(await client.get('t'), '100');
  },

  async receives_what_is_published(open) {
    const listener = connect(open);
    const publisher = connect(open);
    const seen = [];
    const done = new Promise((resolve) => {
      const note = (...what) => { seen.push(what); if (seen.length === 101) resolve(); };
      listener.on('message', note);
      listener.on('pmessage', note);
    });
    assert.strictEqual(await listener.subscribe('news'), 1);
    assert.strictEqual(await listener.psubscribe('other.*'), 2);
    for (let n = 0; n < 100; n += 1) await publisher.publish('news', String(n));
    await publisher.publish('other.x', 'last');
    await done;
    assert.deepStrictEqual(seen.slice(0, 100), Array.from({ length: 100 }, (_, n) => ['news', String(n)]));
    assert.deepStrictEqual(seen[100], ['other.*', 'other.x', 'last']);
    assert.strictEqual(await listener.unsubscribe('news'), 1);
    assert.strictEqual(await listener.punsubscribe('other.*'), 0);
    assert.strictEqual(await listener.set('free', '1'), 'OK');
  },

  async blocks_until_an_item_comes(open) {
    const waiter = connect(open);
    const other = connect(open);
    const got = waiter.blpop('queue', 20);
    await other.rpush('queue', 'item');
    assert.deepStrictEqual(await got, ['queue', 'item']);
    assert.strictEqual(await waiter.brpop('queue', 0.05), null);
  },

  async reads_a_stream_as_a_group(open) {
    const client = connect(open);
    await client.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM');
    const id = await client.xadd('s', '*', 'f', 'v');
    assert.deepStrictEqual(await client.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 5000, 'STREAMS', 's', '>'), [['s', [[id, ['f', 'v']]]]]);
    assert.strictEqual(await client.xack('s', 'g', id), 1);
  },

  async runs_scripts_that_it_defines(open) {
    const client = connect(open);
    client.defineCommand('put', { numberOfKeys: 1, lua: "redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]" });
    assert.strictEqual(await client.put('k', 'v'), 'v');
    await client.script('FLUSH');
    assert.strictEqual(await client.put('k', 'w'), 'w');  // by text, since the digest is gone
    assert.strictEqual(await client.get('k'), 'w');
  },

  async carries_8_mib(open) {
    const client = connect(open);
    const value = Buffer.alloc(8 << 20, 'x');
    await client.set('big', value);
    assert.ok((await client.getBuffer('big')).equals(value));
  },

  async shows_its_name_and_its_database(open) {
    const client = connect(open, { connectionName: 'orders', db: 4 });
    assert.strictEqual(await client.client('GETNAME'), 'orders');
    await client.set('only', 'here');
    assert.strictEqual(await connect(open).get('only'), null);
    assert.strictEqual(await client.get('only'), 'here');
  },

  async monitors(open) {
    const client = connect(open);
    const monitor = open(await client.monitor());
    const seen = new Promise((resolve) => monitor.on('monitor', (_, words) => words[1] === 'marked' && resolve(words)));
    await client.set('marked', '1');
    assert.deepStrictEqual(await seen, ['set', 'marked', '1']);
  },

  async ends_with_quit(open) {
    const client = connect(open);
    assert.strictEqual(await client.quit(), 'OK');
  },
});
