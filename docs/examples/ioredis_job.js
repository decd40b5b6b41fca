'use strict';
// A batch job over ioredis that asks tidegate what it may write, and so is not refused. See README.md.
const Redis = require('ioredis');
const { job, run } = require('./pace');

async function main() {
  const { name, count, writes, url } = job();
  const client = new Redis(url, { connectionName: name });
  const ask = (key) => client.call('TIDEGATE', 'QUOTA', key);
  const send = async (batch) => {
    const pipeline = client.pipeline();
    for (const [key, value] of batch) pipeline.set(key, value, 'EX', 3600);
    return (await pipeline.exec()).map(([error]) => error);
  };
  const throttled = await run(ask, send, writes);
  console.log(JSON.stringify({ written: count, throttled }));
  client.disconnect();
}

main().catch((error) => { console.error(error); process.exit(1); });
