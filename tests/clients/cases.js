'use strict';
// A client library's cases, run one a process by tests/integration/node_suite.py:
//   node FILE --list        the names, one a line
//   node FILE --case NAME   runs one; status 0 if it held
// Where to connect stands in TIDEGATE_HOST, TIDEGATE_PORT and TIDEGATE_CA.
const fs = require('fs');
const tls = require('tls');

// checkServerIdentity stays Node's own: the certificate must name the address.
const address = () => ({
  host: process.env.TIDEGATE_HOST,
  port: Number(process.env.TIDEGATE_PORT),
  ca: fs.readFileSync(process.env.TIDEGATE_CA),
});

async function main(cases) {
  const [what, name] = process.argv.slice(2);
  if (what === '--list') {
    console.log(Object.keys(cases).join('\n'));
    return;
  }
  const opened = [];
  let status = 0;
  try {
    await cases[name]((client) => { opened.push(client); return client; });
  } catch (error) {
    console.error(error);
    status = 1;
  }
  for (const client of opened) {
    try { (client.disconnect || client.destroy).call(client); } catch { /* closed already */ }
  }
  process.exit(status);
}

module.exports = { address, main, tls };
