// What a worker uses of its host, and what it may use. What it does not tell is left out.

import { make } from "./elements.js";
import { count, known, megabytes, percent, size, unknown } from "./format.js";

const bar = (value, most) =>
  make("meter", { min: 0, max: most, value, "aria-hidden": "true" });

/** Processors, for a cell. */
export function processors(worker) {
  const cpu = worker.resources?.cpu;
  if (!known(cpu?.used)) return unknown;
  return [`${count(cpu.used)} of ${count(cpu.limit)}`, bar(cpu.used, cpu.limit)];
}

/** Memory, for a cell. */
export function memory(worker) {
  const own = worker.resources?.memory;
  if (!own) return megabytes(worker.resident_bytes);
  if (!known(own.limit_bytes)) return megabytes(own.resident_bytes);
  const used = Math.round(own.used_bytes / 1048576);
  return [`${used} of ${megabytes(own.limit_bytes)}`, bar(own.used_bytes, own.limit_bytes)];
}

/** All of it, to be opened; null for a worker that tells nothing. */
export function resources(worker) {
  const told = worker.resources;
  if (!told) return null;
  const { descriptors, network, pressure } = told;
  const facts = [
    ["CPU", known(told.cpu?.used) ? processors(worker) : null],
    ["Memory", told.memory ? memory(worker) : null],
    ["Descriptors", descriptors && [`${count(descriptors.open)} of ${count(descriptors.limit)}`,
      bar(descriptors.open, descriptors.limit)]],
    ...told.disks.map((disk) => [`Disk, ${disk.folder} folder`, [
      `${size(disk.free_bytes)} of ${size(disk.size_bytes)} free`,
      bar(disk.size_bytes - disk.free_bytes, disk.size_bytes)]]),
    ["Network", network && `in ${size(network.received_bytes_per_second)}/s, `
      + `out ${size(network.sent_bytes_per_second)}/s`],
    ["Waited for", pressure && [["CPU", pressure.cpu], ["memory", pressure.memory],
      ["disk", pressure.io]].filter(([, share]) => known(share))
      .map(([name, share]) => `${name} ${percent(share)}`).join(", ")],
  ].filter(([, content]) => known(content));
  return make("details", { "data-key": "resources" },
    make("summary", {}, "Resources"),
    make("dl", { class: "facts" }, facts.map(([name, content]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, content)))));
}
