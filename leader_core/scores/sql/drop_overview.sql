-- The worklist's overview is made anew when a model is added.
DROP TABLE overview;
