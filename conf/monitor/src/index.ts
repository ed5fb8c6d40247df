export {
    TroveMonitor, type AllocatorDump, type CallOptions, type Cycled,
    type LatencyOptions, type MonitorOptions, type TroveMemory,
} from './monitor.js';

export {
    ConnectionError, JsonError, type Problem, SchemaError, StatusError,
    TimeoutError, TooLargeError, TroveError, UnknownNameError,
} from './errors.js';

export { Durations } from './histogram.js';
export { health, type Finding } from './health.js';

export type {
    CounterName, EndpointRates, HistogramName, Rates, TroveRates,
} from './rates.js';
export type {
    BadSample, GoodSample, Sample, SamplesOptions,
} from './samples.js';
export type * from './stats.js';
