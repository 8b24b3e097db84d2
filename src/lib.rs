//! flowglass
