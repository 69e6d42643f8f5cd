//! Charts as SVG: dark on white, in colours that red-green colour-blind people can distinguish.

mod axis;
mod bar;
mod canvas;
mod heat_map;
mod line;
mod raster;
mod trace;

pub use bar::{BarChart, BarGroup};
pub use heat_map::{HeatMap, HeatScale};
pub use line::{LineChart, Series, Vertical};
pub use raster::spike_raster;
pub use trace::membrane_traces;

pub(crate) use axis::with_prefix;
