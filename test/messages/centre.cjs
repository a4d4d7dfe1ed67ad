// A message centre made of node-smpp: it says on standard output what it takes, one line of JSON each, and reports on
// every message. The first message of a connection is throttled.
const smpp = require(process.argv[2] + '/node_modules/smpp');
const say = (v) => process.stdout.write(JSON.stringify(v) + '\n');
let next = 0;
const server = smpp.createServer((session) => {
  let throttled = false;
  session.on('bind_transceiver', (pdu) => {
    const good = pdu.system_id === 'demarc' && pdu.password === 'secret';
    say({bound: good, version: pdu.interface_version});
    session.send(pdu.response(good ? {system_id: 'centre'} : {command_status: smpp.ESME_RINVPASWD}));
  });
  session.on('enquire_link', (pdu) => { say({enquired: true}); session.send(pdu.response()); });
  session.on('unbind', (pdu) => { say({unbound: true}); session.send(pdu.response()); });
  session.on('submit_sm', (pdu) => {
    if (!throttled) {
      throttled = true;
      session.send(pdu.response({command_status: smpp.ESME_RTHROTTLED}));
      return;
    }
    const id = 'n' + (++next);
    const m = pdu.short_message;
    say({id, from: pdu.source_addr, fromTON: pdu.source_addr_ton, to: pdu.destination_addr, coding: pdu.data_coding, text: m.message,
      part: m.udh ? [].concat(...(Array.isArray(m.udh) ? m.udh : [m.udh]).map((b) => [...b])) : null, validity: pdu.validity_period});
    session.send(pdu.response({message_id: id}));
    const stat = pdu.destination_addr.endsWith('9') ? 'UNDELIV' : 'DELIVRD';
    session.deliver_sm({
      source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2603010900 done date:2603010900 stat:${stat} err:000 text:`,
    }, (resp) => say({reported: id, status: resp.command_status}));
  });
  session.on('error', () => {});
});
server.listen(0, '127.0.0.1', function () { say({port: this.address().port}); });
