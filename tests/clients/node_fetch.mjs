// Node's fetch: a call on each line of standard input, its reply on one of standard output.
import { createInterface } from "node:readline";

const bytes = (text) => Buffer.from(text, "base64");

function bodyOf(call) {
  if (call.form !== null) return new URLSearchParams(call.form);
  if (call.multipart === null) return call.body === null ? undefined : bytes(call.body);
  const form = new FormData();
  for (const field of call.multipart) {
    if (field.filename === null && field.media === null) form.append(field.name, bytes(field.data).toString("utf8"));
    else form.append(field.name, new Blob([bytes(field.data)], { type: field.media ?? "" }), field.filename ?? "blob");
  }
  return form;
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  const headers = call.media ? { "content-type": call.media } : {};
  const answer = await fetch(call.url, { method: "POST", body: bodyOf(call), headers });
  const body = Buffer.from(await answer.arrayBuffer()).toString("base64");
  console.log(JSON.stringify({ status: answer.status, body }));
}
