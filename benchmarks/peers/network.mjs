// A Bluesky network of its own: directory (PLC), personal data server, and the AppView that builds notifications,
// threads and feeds. Unlike TestNetwork of dev-env it keeps its data: started again on the same folder and database, it
// goes on. No moderation service: nothing of it is used.
import fs from 'node:fs'
import path from 'node:path'
import { Database } from '@did-plc/server'
import { TestBsky, TestBsync, TestPds, TestPlc, mockMailer, mockNetworkUtilities } from '@atproto/dev-env'

const { folder, postgres, ports } = JSON.parse(process.argv[2])
const data = (name) => {
  const made = path.join(folder, name)
  fs.mkdirSync(made, { recursive: true })
  return made
}

const directory = Database.postgres({ url: postgres, schema: 'plc' })
await directory.migrateToLatestOrThrow()
const plc = await TestPlc.create({ db: directory, port: ports.plc })

const bsync = await TestBsync.create({ port: ports.bsync, apiKeys: ['bsync-api-key'], dbUrl: postgres, dbSchema: 'bsync' })
// The AppView reads the data server's log from its beginning at each start, and what it has already is left as it is.
const bsky = await TestBsky.create({
  port: ports.bsky,
  publicUrl: `http://localhost:${ports.bsky}`,
  plcUrl: plc.url,
  pdsPort: ports.pds,
  repoProvider: `ws://localhost:${ports.pds}`,
  bsyncApiKey: 'bsync-api-key',
  bsyncUrl: bsync.url,
  dbPostgresUrl: postgres,
  dbPostgresSchema: 'appview',
})
bsync.ctx.dataplaneClients = [bsky.ctx.dataplane]
const pds = await TestPds.create({
  port: ports.pds,
  hostname: 'localhost',
  didPlcUrl: plc.url,
  bskyAppViewUrl: bsky.url,
  bskyAppViewDid: bsky.ctx.cfg.serverDid,
  dataDirectory: data('pds'),
  blobstoreDiskLocation: data('blobs'),
  plcRotationKeyK256PrivateKeyHex: '7f'.repeat(32),
})
mockNetworkUtilities(pds, bsky)
mockMailer(pds)
console.log('ready', pds.url)
